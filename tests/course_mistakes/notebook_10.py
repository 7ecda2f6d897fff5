"""Wrong answers to the exercises of notebook 10, each with a piece of the message meant for it."""

MISTAKES = {
    "10.gaussian": [
        (
            "def gaussian(x, y, sigma, height, width):\n"
            "    i, j = np.mgrid[:height, :width] + 0.5\n"
            "    return np.exp(-((i - y) ** 2 + (j - x) ** 2) / (2 * sigma**2))",
            "divide by the sum",
        ),
        (
            "def gaussian(x, y, sigma, height, width):\n"
            "    i, j = np.mgrid[:height, :width] + 0.5\n"
            "    return np.exp(-((i - y) ** 2 + (j - x) ** 2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)",
            "over the whole plane",
        ),
        (
            "def gaussian(x, y, sigma, height, width):\n"
            "    i, j = np.mgrid[:height, :width] + 0.5\n"
            "    kernel = np.exp(-((i - x) ** 2 + (j - y) ** 2) / (2 * sigma**2))\n"
            "    return kernel / kernel.sum()",
            "x and y are exchanged",
        ),
        (
            "def gaussian(x, y, sigma, height, width):\n"
            "    i, j = np.mgrid[:height, :width] + 0.5\n"
            "    kernel = np.exp(-((i - y) ** 2 + (j - x) ** 2) / (2 * sigma))\n"
            "    return kernel / kernel.sum()",
            "must be 2 sigma squared",
        ),
        (
            "def gaussian(x, y, sigma, height, width):\n"
            "    i, j = np.mgrid[:height, :width] + 0.5\n"
            "    kernel = np.exp(-((i - y) ** 2 + (j - x) ** 2) / sigma**2)\n"
            "    return kernel / kernel.sum()",
            "the factor 2 is missing",
        ),
        (
            "def gaussian(x, y, sigma, height, width):\n"
            "    i, j = np.mgrid[:height, :width]\n"
            "    kernel = np.exp(-((i - y) ** 2 + (j - x) ** 2) / (2 * sigma**2))\n"
            "    return kernel / kernel.sum()",
            "half a pixel off",
        ),
    ],
    "10.adaptive": [
        (
            "def adaptive(points, beta, k):\n"
            "    distances = ((points[:, None] - points) ** 2).sum(axis=2)\n"
            "    return beta * np.sort(distances)[:, 1 : k + 1].mean(1)",
            "the root of",
        ),
        (
            "def adaptive(points, beta, k):\n"
            "    distances = np.linalg.norm(points[:, None] - points, axis=2)\n"
            "    return beta * np.sort(distances)[:, :k].mean(1)",
            "the head itself is among its neighbors",
        ),
        (
            "def adaptive(points, beta, k):\n"
            "    distances = np.linalg.norm(points[:, None] - points, axis=2)\n"
            "    distances[distances == 0] = 1e9\n"
            "    return beta * np.array([np.sort(row)[:k].mean() for row in distances])",
            "two heads at one spot",
        ),
        (
            "def adaptive(points, beta, k):\n"
            "    distances = np.linalg.norm(points[:, None] - points, axis=2)\n"
            "    return beta * np.sort(distances)[:, : k + 1].mean(1)",
            "the head's own 0 among them",
        ),
        (
            "def adaptive(points, beta, k):\n"
            "    distances = np.linalg.norm(points[:, None] - points, axis=2)\n"
            "    return beta * np.sort(distances)[:, 1 : k + 1].sum(1)",
            "the mean is wanted",
        ),
        (
            "def adaptive(points, beta, k):\n"
            "    distances = np.linalg.norm(points[:, None] - points, axis=2)\n"
            "    return np.sort(distances)[:, 1 : k + 1].mean(1)",
            "multiply them by beta",
        ),
        (
            "def adaptive(points, beta, k):\n"
            "    distances = np.linalg.norm(points[:, None] - points, axis=2)\n"
            "    return np.full(len(points), beta * np.sort(distances)[:, 1 : k + 1].mean())",
            "all heads have one sigma",
        ),
        (
            "def adaptive(points, beta, k):\n"
            "    distances = np.linalg.norm(points[:, None] - points, axis=2)\n"
            "    return beta * np.sort(distances)[:, k]",
            "only the k-th neighbor",
        ),
    ],
    "10.profile": [
        (
            "from scipy.special import ndtr\n"
            "def profile(position, sigma, length):\n"
            "    return np.diff(ndtr((np.arange(length + 1) - position) / sigma))",
            "what falls over the border is lost",
        ),
        (
            "def profile(position, sigma, length):\n"
            "    bell = np.exp(-((np.arange(length) + 0.5 - position) ** 2) / (2 * sigma**2))\n"
            "    return bell / bell.sum()",
            "not the mass in the pixel",
        ),
        (
            "from scipy.special import ndtr\n"
            "def profile(position, sigma, length):\n"
            "    mass = np.diff(ndtr((np.arange(length + 1) - 0.5 - position) / sigma))\n"
            "    return mass / mass.sum()",
            "half a pixel off",
        ),
        (
            "from scipy.special import ndtr\n"
            "def profile(position, sigma, length):\n"
            "    mass = np.diff(ndtr((np.arange(length) - position) / sigma))\n"
            "    return mass / mass.sum()",
            "the shape should be (40,), yours is (39,)",
        ),
    ],
    "10.mirror": [
        (
            "def mirror(points, width):\n    return np.stack([width - 1 - points[:, 0], points[:, 1]], axis=1)",
            "one pixel too far left",
        ),
        ("def mirror(points, width):\n    return width - points", "y is mirrored, too"),
        (
            "def mirror(points, width):\n    return np.stack([points[:, 0], width - points[:, 1]], axis=1)",
            "y is mirrored instead of x",
        ),
        ("def mirror(points, width):\n    return points * [-1, 1]", "shift it back by the width"),
        ("def mirror(points, width):\n    return points[::-1]", "turns the list around"),
    ],
    "10.pool": [
        (
            "def pool(density, stride):\n"
            "    rows, columns = density.shape\n"
            "    out = np.zeros((rows // stride + 1, columns // stride + 1))\n"
            "    for i, j in np.ndindex(rows, columns):\n"
            "        out[i // stride, j // stride] += density[i, j]\n"
            "    return out",
            "a column of blocks too many",
        ),
        (
            "def pool(density, stride):\n"
            "    rows, columns = density.shape\n"
            "    return density.reshape(rows // stride, stride, columns // stride, stride).mean((1, 3))",
            "A mean divides the count",
        ),
        (
            "def pool(density, stride):\n"
            "    rows, columns = density.shape\n"
            "    return density.reshape(rows // stride, stride, columns // stride, stride).max((1, 3))",
            "Max-pooling is for features",
        ),
        ("def pool(density, stride):\n    return density[::stride, ::stride]", "keeps one cell of each block"),
        (
            "def pool(density, stride):\n    return density[::stride, ::stride] * stride**2",
            "right on a flat map only",
        ),
        (
            "def pool(density, stride):\n"
            "    rows, columns = density.shape\n"
            "    return density.reshape(rows // stride, columns // stride, stride, stride).sum((2, 3))",
            "the blocks are torn",
        ),
        (
            "def pool(density, stride):\n"
            "    rows, columns = density.shape\n"
            "    return density.reshape(rows // stride, stride, columns // stride, stride).sum((1, 3))",
            "Pad with zeros first",
        ),
        (
            "def pool(density, stride):\n"
            "    rows, columns = (side // stride for side in density.shape)\n"
            "    whole = density[: rows * stride, : columns * stride]\n"
            "    return whole.reshape(rows, stride, columns, stride).sum((1, 3))",
            "were dropped",
        ),
    ],
}

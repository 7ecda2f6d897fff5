"""CSRNet of design B as others run it: PyTorch, ONNX Runtime, OpenVINO; each is left out where it is not installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

from crowdcount.network.designs import BACK_END_FILTERS, DESIGNS, FRONT_END, filters_of

Predict = Callable[[], object]


def torch_csrnet(width: float = 1.0):
    """The network as PyTorch users write it, channels last, with random weights."""
    import torch

    layers, channels = [], 3
    for name, filters in FRONT_END:
        if name in ("block2_conv1", "block3_conv1", "block4_conv1"):
            layers.append(torch.nn.MaxPool2d(2, ceil_mode=True))
        filters = filters_of(filters, width)
        layers += [torch.nn.Conv2d(channels, filters, 3, padding=1), torch.nn.ReLU(inplace=True)]
        channels = filters
    for filters, rate in zip(BACK_END_FILTERS, DESIGNS["B"]):
        filters = filters_of(filters, width)
        layers += [torch.nn.Conv2d(channels, filters, 3, padding=rate, dilation=rate), torch.nn.ReLU(inplace=True)]
        channels = filters
    layers += [torch.nn.Conv2d(channels, 1, 1), torch.nn.ReLU(inplace=True)]
    return torch.nn.Sequential(*layers).to(memory_format=torch.channels_last)


def as_torch(pictures: np.ndarray):
    """Pictures (N, H, W, 3) as PyTorch has them, float32, channels last."""
    import torch

    values = torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2).float()
    return values.contiguous(memory_format=torch.channels_last)


def torch_predictions(pictures: np.ndarray, width: float) -> dict[str, Predict]:
    """Eager and compiled, float32 and bfloat16."""
    if importlib.util.find_spec("torch") is None:
        return {}
    import torch

    network, values = torch_csrnet(width).eval(), as_torch(pictures)

    def run(module, bfloat16: bool) -> Predict:
        def predict():
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                return module(values).float().sum().item()

        return predict

    found = {"PyTorch float32": run(network, False), "PyTorch bfloat16": run(network, True)}
    for precision in ("float32", "bfloat16"):
        # A module of its own for each: what is compiled for one type of numbers is compiled anew for the other.
        compiled = run(torch.compile(network, dynamic=False), precision == "bfloat16")
        try:
            compiled()
        except Exception as error:  # it needs a C++ compiler, and says so in many ways
            print(f"torch.compile does not work here in {precision}: {str(error).splitlines()[0]}")
        else:
            found[f"PyTorch {precision}, torch.compile"] = compiled
    return found


def onnx_predictions(file: Path, pictures: np.ndarray) -> dict[str, Predict]:
    """An exported file in ONNX Runtime and in OpenVINO; pictures uint8, one at a time."""
    found: dict[str, Predict] = {}
    if importlib.util.find_spec("onnxruntime") is not None:
        import onnxruntime

        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        found["ONNX Runtime float32"] = lambda: [
            session.run(["count"], {"picture": picture[np.newaxis]}) for picture in pictures
        ]
    if importlib.util.find_spec("openvino") is not None:
        import openvino

        core = openvino.Core()
        model = core.read_model(file)
        model.reshape({"picture": [1, *pictures.shape[1:]]})
        for precision, hint in (("float32", "f32"), ("bfloat16", "bf16")):
            network = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": hint})
            found[f"OpenVINO {precision}"] = lambda network=network: [
                network({"picture": picture[np.newaxis]}) for picture in pictures
            ]
    return found


def torch_step(pictures: np.ndarray, target: np.ndarray, frozen: tuple[str, ...], bfloat16: bool, width: float):
    """A training step as the recipe has it: the same layers frozen, Poisson loss, Adam, an average of the weights."""
    import torch

    network = torch_csrnet(width)
    convolutions = [layer for layer in network if isinstance(layer, torch.nn.Conv2d)]
    for (name, _), layer in zip(FRONT_END, convolutions):
        if name.startswith(frozen):
            layer.requires_grad_(False)
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(learned, 2e-5, foreach=True)
    average = [parameter.detach().clone() for parameter in learned]
    values, wanted = as_torch(pictures) / 58, torch.from_numpy(target).permute(0, 3, 1, 2) + 1e-2

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            density = network(values)
        excess = (density.float() + 1e-2 - wanted) / wanted
        loss = (wanted * (excess - torch.log1p(excess))).sum(dim=(1, 2, 3)).mean()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, [parameter.detach() for parameter in learned], 0.01)
        return loss.item()

    return step

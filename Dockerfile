# The page of `crowdcount app` with its weights: docker build -t crowdcount . && docker run --rm -p 127.0.0.1:8000:8000 crowdcount
# It prints the address to open, with its token. Nothing that is sent to it is written anywhere.

FROM python:3.12-slim AS build
WORKDIR /source
# What is needed, by setup.cfg. On x86 tensorflow-cpu is the same library without what drives graphics cards.
COPY setup.cfg ./
RUN python -c "import configparser, re; c = configparser.ConfigParser(); c.read('setup.cfg'); \
needed = c['options']['install_requires'] + c['options.extras_require']['app']; \
print(re.sub(r'(?m)^tensorflow (.*)', r'tensorflow-cpu \1; platform_machine == \"x86_64\"\ntensorflow \1; \
platform_machine != \"x86_64\"', needed))" > needed.txt \
 && python -m venv /opt/crowdcount \
 && /opt/crowdcount/bin/pip install --no-cache-dir --no-compile -r needed.txt
COPY . .
RUN /opt/crowdcount/bin/pip install --no-cache-dir --no-compile --no-deps .

FROM python:3.12-slim
COPY --from=build /opt/crowdcount /opt/crowdcount
RUN useradd --uid 10001 --no-create-home crowdcount
USER crowdcount
# The libraries' caches go where a read-only container has its memory: docker run --read-only --tmpfs /tmp ...
ENV PATH=/opt/crowdcount/bin:$PATH HOME=/tmp MPLCONFIGDIR=/tmp PYTHONDONTWRITEBYTECODE=1
EXPOSE 8000
HEALTHCHECK --interval=30s --start-period=60s \
 CMD ["python", "-c", "import urllib.request as ask; ask.urlopen('http://127.0.0.1:8000/healthz', timeout=5)"]
CMD ["crowdcount", "app", "--host", "0.0.0.0", "--port", "8000", "--no-browser"]

# One image, three commands: `python -m server` (the default), `python -m worker`, `python -m cli migrate`.

FROM python:3.12.12-slim-bookworm AS venv

WORKDIR /build
RUN python -m venv /opt/venv
COPY pyproject.toml requirements.lock ./

# Every wheel is checked against the lock; then what the project needs at run time, and nothing else, is
# installed from these wheels alone.
RUN pip download --no-cache-dir --no-deps --require-hashes --only-binary :all: \
      --requirement requirements.lock --dest /build/wheels \
 && python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
      > runtime.txt \
 && /opt/venv/bin/pip install --no-cache-dir --no-index --find-links /build/wheels --requirement runtime.txt \
 && /opt/venv/bin/pip check \
 && /opt/venv/bin/pip uninstall --yes pip


FROM python:3.12.12-slim-bookworm

LABEL org.opencontainers.image.title="Tandem" \
      org.opencontainers.image.licenses="Apache-2.0"

RUN groupadd --system --gid 10001 tandem \
 && useradd --system --uid 10001 --gid tandem --home-dir /app --no-create-home --shell /usr/sbin/nologin tandem

COPY --from=venv /opt/venv /opt/venv
WORKDIR /app
COPY . .
# Compiled here, because the file system is read-only when it runs.
RUN /opt/venv/bin/python -m compileall -q /app /opt/venv/lib

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

USER 10001:10001
EXPOSE 8400
STOPSIGNAL SIGTERM
# Of the api; whoever runs another command says how it is checked.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "deploy/checks/alive.py"]
CMD ["python", "-m", "server"]

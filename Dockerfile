# Web, worker and beat in one image: what a container does is its command, see compose.yaml.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    WATTDESK_BOOTSTRAP=off \
    WATTDESK_VAR=/var/lib/wattdesk

WORKDIR /srv/wattdesk

# Every package is a wheel whose hash is known: nothing is built, and nothing else can slip in.
COPY requirements.txt ./
RUN python -m pip install --require-hashes --no-deps --only-binary :all: -r requirements.txt

RUN useradd --system --user-group --no-create-home wattdesk \
    && install -d -o wattdesk -g wattdesk -m 0700 "$WATTDESK_VAR"
COPY manage.py ./
COPY config config
COPY apps apps
COPY collectors collectors
COPY locale locale
COPY templates templates
COPY static static
RUN python -m compileall -q config apps collectors

USER wattdesk
VOLUME /var/lib/wattdesk
EXPOSE 8000
CMD ["python", "-m", "gunicorn", "config.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--threads", "8", "--limit-request-line", "8190", "--no-control-socket"]

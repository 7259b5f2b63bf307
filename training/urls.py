"""Routes of training's pages."""

from django.urls import path

from training.views import models, new_run, rounds, runs, snapshots

app_name = "training"
_run = "training/runs/<uuid:run_id>/"
_round = "training/rounds/<slug:name>/"
_snapshot = "training/snapshots/<slug:name>/"
_checkpoint = "models/checkpoints/<slug:name>/"
urlpatterns = [
    path("training/", runs.run_list, name="runs"),
    path("training/new/", new_run.new, name="new"),
    path("training/new/preview/", new_run.preview, name="preview"),
    path("training/compare/", runs.compare, name="compare"),
    path(_run, runs.run, name="run"),
    path(_run + "curves/", runs.curves, name="curves"),
    path(_run + "metrics.csv", runs.metrics_csv, name="metrics"),
    path(_run + "cancel/", runs.cancel, name="cancel"),
    path(_run + "resume/", runs.resume, name="resume"),
    path("training/rounds/", rounds.round_list, name="rounds"),
    path(_round, rounds.round_page, name="round"),
    path(_round + "samples/", rounds.samples, name="round_samples"),
    path(_round + "go-on/", rounds.go_on, name="round_go_on"),
    path("training/snapshots/", snapshots.snapshot_list, name="snapshots"),
    path(_snapshot, snapshots.snapshot, name="snapshot"),
    path(_snapshot + "try-again/", snapshots.try_again, name="try_again"),
    path(_snapshot + "withdraw/", snapshots.withdraw, name="withdraw"),
    path(_snapshot + "verify/", snapshots.verify, name="verify"),
    path(_snapshot + "changes/", snapshots.changes, name="changes"),
    path(_snapshot + "files/<str:file>", snapshots.download, name="download"),
    path("models/data/<slug:name>/", models.data, name="data"),
    path(_checkpoint, models.checkpoint, name="checkpoint"),
    path(_checkpoint + "promote/", models.promote, name="promote"),
    path("models/<slug:name>/", models.model, name="model"),
    path("models/<slug:name>/roll-back/", models.roll_back, name="roll_back"),
]

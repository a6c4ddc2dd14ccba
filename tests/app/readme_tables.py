"""The README's tables, made from what they describe: ``python -m tests.app.readme_tables`` prints them."""

from prometheus_client.metrics import MetricWrapperBase

from app.observability.metrics import Metrics
from app.settings import Settings
from model.checkpoint import Checkpoint
from model.segmenter import DEFAULT_WEIGHTS
from training.export.model_card import scores_table


def settings_table() -> str:
    rows = ["| variable | default | what |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        special = {DEFAULT_WEIGHTS: "the weights that ship", None: "none", (): "none"}
        default = special.get(field.default, f"`{field.default}`")
        rows.append(f"| `FCN_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


def metrics_table() -> str:
    rows = ["| measure | labels | what |", "| --- | --- | --- |"]
    for measure in vars(Metrics()).values():
        if isinstance(measure, MetricWrapperBase):
            name = f"{measure._name}_total" if measure._type == "counter" else measure._name
            labels = ", ".join(f"`{label}`" for label in measure._labelnames)
            rows.append(f"| `{name}` | {labels} | {measure._documentation} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(settings_table())
    print(metrics_table())
    print(scores_table(Checkpoint.load(DEFAULT_WEIGHTS).summary.scores))

"""The README's tables, made from what they describe: ``python -m tests.app.readme_tables`` prints them."""

from app.settings import Settings
from model.checkpoint import Checkpoint
from model.segmenter import DEFAULT_WEIGHTS
from training.model_card import scores_table


def settings_table() -> str:
    rows = ["| variable | default | what |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = "the weights that ship" if field.default == DEFAULT_WEIGHTS else f"`{field.default}`"
        rows.append(f"| `FCN_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(settings_table())
    print(scores_table(Checkpoint.load(DEFAULT_WEIGHTS).summary.scores))

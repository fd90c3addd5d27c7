"""Optional packages that what a config names needs."""

from importlib.util import find_spec

from omegaconf import DictConfig

from leyden.errors import UserError

NEEDED = {  # by loggers; each under the name of its extra
    "leyden.training.loggers.MLFlowLogger": ("mlflow", ("mlflow", "sqlalchemy", "alembic")),
    "leyden.training.loggers.WandbLogger": ("wandb", ("wandb",)),
}


def absent_extras(config: DictConfig) -> list[str]:
    """A line for each logger whose packages are not installed."""
    lines = []
    for name, values in (config.get("logger") or {}).items():
        extra, modules = NEEDED.get(str((values or {}).get("_target_")), ("", ()))
        if missing := [module for module in modules if not _is_installed(module)]:
            lines.append(f"logger.{name} needs {', '.join(missing)}: pip install 'leyden[{extra}]'")
    return lines


def require_extras(config: DictConfig) -> None:
    """Raises UserError for packages that are not installed."""
    if lines := absent_extras(config):
        raise UserError(*lines)


def _is_installed(module: str) -> bool:
    spec = find_spec(module)
    return spec is not None and spec.origin is not None  # a folder wandb/, as wandb leaves them, is no package

"""The settings module: base, tightened by prod when AGENTIC_ENV says so. An unknown AGENTIC_* name stops start-up."""

from config.env import env
from config.settings import prod
from config.settings.base import *  # noqa: F403
from config.settings.base import ENVIRONMENT

env.refuse_unknown()
if ENVIRONMENT == "prod":
    prod.check(globals())
    globals().update(prod.OVERRIDES)

"""Audits to pages: renderers need only an `Audit`."""

import logging

# Where the home directory cannot be written to, matplotlib says so; from cron that would be mail.
logging.getLogger("matplotlib").setLevel(logging.ERROR)

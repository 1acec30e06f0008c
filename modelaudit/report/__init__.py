"""Reports: renderers that need only an `Audit`."""

import logging

# Matplotlib warns if the home directory is not writable; under cron that would send mail.
logging.getLogger("matplotlib").setLevel(logging.ERROR)

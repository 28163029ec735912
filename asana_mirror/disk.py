"""What a file needs beside its bytes to survive a power cut."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def flush_folder(folder: Path) -> None:
    """So that a new name is on the disk as well; not every system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

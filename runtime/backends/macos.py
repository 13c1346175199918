"""What macOS says of itself. Python's own words for it depend on the system that Python was built on: where that was
an older one, macOS 26 calls itself 16."""

from __future__ import annotations

import subprocess


def sysctl(name: str) -> str | None:
    """What the kernel has under `name`; None on other systems, or where there is nothing."""
    try:
        done = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def macos_version() -> str | None:
    """As 15.6.1."""
    return sysctl("kern.osproductversion")


def macos_build() -> str | None:
    """As 24G90: what changes with each update of the system."""
    return sysctl("kern.osversion")


def in_virtual_machine() -> bool:
    """Whether this macOS is the guest of another system."""
    return sysctl("kern.hv_vmm_present") == "1"

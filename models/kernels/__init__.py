"""Matrix products for a few tokens on x86 and ARM processors, compiled where they are used. See docs/decisions/013."""

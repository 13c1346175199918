"""Matrix products for a few tokens on x86 processors, compiled where they are used. See docs/decisions/013."""

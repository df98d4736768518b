"""The rules: one pure function per indicator, one file per domain of the official guides."""

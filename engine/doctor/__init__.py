"""What `jauge doctor` looks at, one file a thing: each gives findings, and changes nothing."""

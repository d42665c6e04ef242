"""Who is held against artlock, and the programs that drive those that are libraries."""

"""ONE FILE PER DIALECT: each defines ``DIALECT``. The folder is the list."""

"""The commands of `junheng`, each imported when it is called."""

"""The page: a folder with one HTML page that shows the verdict, the files, the lines and the processes."""

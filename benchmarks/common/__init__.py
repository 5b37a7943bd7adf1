"""What every room uses: errors, files, random streams, and on what a number was made. Imports nothing of the project."""

"""What an installation in containers needs beside its images: secrets as files, and a job that prepares its servers."""

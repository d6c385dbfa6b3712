"""What a browser tab remembers between two runs of the script: who is logged in, and the work that is not done."""

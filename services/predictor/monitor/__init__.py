"""The monitor process: whether pictures, labels and confidence are as they were learned, and people still agree."""

"""The labeler: people upload images, correct labels and command the gate, over an API and on pages."""

"""kilter: imbalanced classification for Keras 3 networks, judged honestly."""

"""Neural networks on the hexagonal camera: exact layers, training, prediction."""

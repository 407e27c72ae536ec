"""MARS files: calibrated events read and written, image parameters and predictions read and joined to ours."""

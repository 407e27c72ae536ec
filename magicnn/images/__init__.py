"""From images to image parameters: cleaning, Hillas and timing parameters, stereo reconstruction, feature tables."""

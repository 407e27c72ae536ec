"""Image branches; importing the package registers all of them."""

from magicnn.nn.architectures.hex_resnet import hex_resnet

__all__ = ["hex_resnet"]

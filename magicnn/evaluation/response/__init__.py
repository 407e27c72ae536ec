"""Instrument response and sensitivity of a method, from its predictions for simulated events."""

from __future__ import annotations

from magicnn.evaluation.response.instrument import InstrumentResponse, ResponseSettings, instrument_response

__all__ = ["InstrumentResponse", "ResponseSettings", "instrument_response"]

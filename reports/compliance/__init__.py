"""The compliance audit (準拠性監査): what the records say to each control, and the report of it."""

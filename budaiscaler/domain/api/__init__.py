"""The API types as users write them: specs, statuses, quantities, conditions, validation, CRDs."""

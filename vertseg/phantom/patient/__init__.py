"""Who the patient is: sizes, curvature, levels."""

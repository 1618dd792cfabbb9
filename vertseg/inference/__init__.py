"""From a scan to findings: locate, order the column, examine each vertebra, put all back on the input's grid."""

//! Assembles the house from its settings, runs it, and stops it.

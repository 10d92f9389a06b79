//! The inbox: takes in what Mastercard says, and answers only when it is on disk.

//! What we hold, compared with what the network says: of all tokens by a reconcile, of what is in doubt by questions.

mod doubts;
mod street;
mod sweeps;

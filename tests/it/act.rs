//! What is wanted of a token, carried out through a service that answers late, twice, wrongly or not at all.

mod crash;
mod kill;
mod network;
mod random;
mod replicas;
mod scene;
mod sequences;

mod around;
mod documents;
mod outcomes;
mod placing;
mod properties;
mod recovery;
mod world;

use world::World;

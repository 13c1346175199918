"""What happens when someone acts: views say what is wanted, controllers ask the store and the engine, views draw."""

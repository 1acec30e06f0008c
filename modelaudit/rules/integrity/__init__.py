"""MA1xx and MA407 to MA425: files that are whole, belong together and hold what the model needs."""

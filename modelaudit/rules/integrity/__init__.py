"""MA101 to MA125, MA407 to MA418 and MA422 to MA425: files that are whole, belong together and hold what the model needs."""

// What the shell of test_sql.py has beside its code: the variables of the environment, as in any.
Module.preRun = () => Object.assign(ENV, process.env);

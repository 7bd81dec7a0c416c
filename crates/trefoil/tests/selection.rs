//! Which model a program gets, and what it says when there is none: whole programs, each in a
//! process with an environment of its own.
#![forbid(unsafe_code)]

mod support;

use std::env;
use std::process::Command;

use support::{Ended, end_of, models};
use trefoil::{Model, thread};

#[trefoil::main]
fn asks_for_nothing() -> Model {
    thread::current().model()
}

#[trefoil::main(workers = 2)]
fn asks_for_workers() -> Model {
    thread::current().model()
}

#[trefoil::main(model = "kernel")]
fn asks_for_kernel() -> Model {
    thread::current().model()
}

#[trefoil::main(model = "green")]
fn asks_for_green() -> Model {
    thread::current().model()
}

#[trefoil::main(model = "hybrid", workers = 2)]
fn asks_for_hybrid() -> Model {
    thread::current().model()
}

type Program = fn() -> Model;

const PROGRAMS: [(&str, Program); 5] = [
    ("nothing", asks_for_nothing),
    ("workers", asks_for_workers),
    ("kernel", asks_for_kernel),
    ("green", asks_for_green),
    ("hybrid", asks_for_hybrid),
];

/// One of the programs, where another test asks for it.
#[test]
fn child() {
    let Ok(asked) = env::var("TREFOIL_TEST_PROGRAM") else {
        return;
    };
    let program = PROGRAMS.iter().find(|(name, _)| *name == asked).unwrap().1;
    println!("\nran on {}\n", program());
}

/// How the program ends where `TREFOIL_MODEL` is `model`, or is not set.
#[track_caller]
fn run(program: &str, model: Option<&str>) -> Ended {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--nocapture"])
        .env("TREFOIL_TEST_PROGRAM", program)
        .env_remove("TREFOIL_MODEL");
    if let Some(model) = model {
        command.env("TREFOIL_MODEL", model);
    }
    end_of(&mut command)
}

#[track_caller]
fn assert_ran_on(ended: &Ended, model: Model) {
    let line = format!("ran on {model}");
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.out.lines().any(|it| it == line), "{ended:?}");
}

#[track_caller]
fn assert_refused(ended: &Ended, code: i32, sentence: &str) {
    assert_eq!(ended.status.code(), Some(code), "{ended:?}");
    assert!(ended.err.contains(sentence), "{ended:?}");
    assert!(!ended.out.contains("ran on"), "{ended:?}");
}

/// `kernel, green and hybrid`, of what is compiled in.
fn listed() -> String {
    let names: Vec<&str> = models().iter().map(|model| model.name()).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

#[test]
fn the_environment_chooses() {
    for model in models() {
        for program in ["nothing", "workers"] {
            assert_ran_on(&run(program, Some(model.name())), model);
        }
    }
}

#[test]
fn the_program_wins_over_the_environment() {
    for model in models() {
        for environment in ["kernel", "green", "hybrid", "nonsense", ""] {
            assert_ran_on(&run(model.name(), Some(environment)), model);
        }
    }
}

#[test]
fn without_a_word_the_features_choose() {
    // Listed from the one to the other end of this order.
    let Some(&preferred) = models().last() else {
        return;
    };
    assert_ran_on(&run("nothing", None), preferred);
    assert_ran_on(&run("nothing", Some("")), preferred);
}

#[test]
fn an_unknown_model_is_refused_with_what_there_is() {
    if models().is_empty() {
        return;
    }
    let sentence = format!(
        "TREFOIL_MODEL is `Green`, which is no thread model: this program has {}",
        listed()
    );
    let ended = run("nothing", Some("Green"));
    assert_refused(&ended, 101, &sentence);
    assert!(
        ended.err.contains(file!()),
        "it names another place: {ended:?}"
    );
    let sentence = format!("error: {sentence}");
    assert_refused(&run("workers", Some("Green")), 2, &sentence);
}

#[test]
fn a_model_that_is_not_compiled_in_is_refused_with_what_there_is() {
    let compiled_in = models();
    if compiled_in.is_empty() {
        return;
    }
    for model in Model::ALL
        .into_iter()
        .filter(|it| !compiled_in.contains(it))
    {
        let sentence = format!(
            "the {model} model is not compiled into this program, which has {}: choose another \
             one, or enable the feature `{model}`",
            listed()
        );
        assert_refused(&run("nothing", Some(model.name())), 101, &sentence);
        assert_refused(&run(model.name(), None), 2, &sentence);
    }
}

#[test]
fn without_any_feature_all_are_named() {
    if !models().is_empty() {
        return;
    }
    let sentence = "enable at least one of the features `kernel`, `green` and `hybrid`";
    assert_refused(&run("nothing", None), 101, sentence);
    assert_refused(&run("nothing", Some("kernel")), 101, sentence);
    assert_refused(&run("kernel", None), 2, sentence);
}

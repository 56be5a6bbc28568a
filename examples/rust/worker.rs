//! A worker in Rust: views of the Mandelbrot set, whole or row by row.
//! `dirtyd.toml` beside this file serves it.

use std::{collections::HashMap, process::ExitCode, sync::Mutex};

use dirtyd_client::{
    Args, Tensor,
    worker::{self, AppError, Apps, Code, DirtyApp, Output, current_call},
};

fn main() -> ExitCode {
    worker::serve(Apps::new().app::<Mandelbrot>("Mandelbrot"))
}

/// Renders views, and keeps the views that it has rendered.
struct Mandelbrot {
    rendered: Mutex<HashMap<String, Tensor>>,
}

impl DirtyApp for Mandelbrot {
    async fn init() -> Result<Self, AppError> {
        Ok(Self { rendered: Mutex::default() })
    }

    async fn execute(&self, action: &str, args: Args) -> Result<Output, AppError> {
        match action {
            "render" => Ok(self.render(View::read(args)?)?.into()),
            "rows" => {
                let view = View::read(args)?;
                Ok(Output::iter((0..view.height).map(move |row| Ok(view.tensor(1, view.row(row))))))
            }
            _ => Err(AppError::unknown_action(action)),
        }
    }
}

impl Mandelbrot {
    fn render(&self, view: View) -> Result<Tensor, AppError> {
        let key = format!("{view:?}");
        let rendered = || self.rendered.lock().expect("nothing panics while it holds the lock");
        if let Some(tensor) = rendered().get(&key) {
            return Ok(tensor.clone());
        }
        let call = current_call();
        let mut pixels = Vec::with_capacity(view.width * view.height);
        for row in 0..view.height {
            call.check()?; // the caller may have left
            pixels.extend(view.row(row));
        }
        let tensor = view.tensor(view.height, pixels);
        rendered().insert(key, tensor.clone());
        Ok(tensor)
    }
}

/// A part of the plane: its center, the width of a pixel, its size in pixels.
#[derive(Debug, Clone, Copy)]
struct View {
    x: f64,
    y: f64,
    pixel: f64,
    width: usize,
    height: usize,
}

impl View {
    fn read(mut args: Args) -> Result<Self, AppError> {
        let mut side = |position, name| match args.take_opt::<i64>(position, name)?.unwrap_or(64) {
            side @ 1..=4096 => Ok(side as usize),
            side => Err(AppError::new("SizeError", format!("{name} = {side}: expected 1 to 4096"))
                .with_code(Code::InvalidArgument)
                .with_fact(name, side)),
        };
        let (width, height) = (side(0, "width")?, side(1, "height")?);
        let x = args.take_opt(2, "x")?.unwrap_or(-0.5);
        let y = args.take_opt(3, "y")?.unwrap_or(0.0);
        let zoom = args.take_opt(4, "zoom")?.unwrap_or(1.0);
        Ok(Self { x, y, pixel: 3.0 / zoom / width as f64, width, height })
    }

    /// Returns the pixels of a row: 0 inside the set, else the speed at which the point escapes.
    fn row(self, row: usize) -> Vec<u8> {
        let place = |index: usize, count: usize| (index as f64 - count as f64 / 2.0) * self.pixel;
        let y = self.y + place(row, self.height);
        (0..self.width).map(|column| escape(self.x + place(column, self.width), y)).collect()
    }

    fn tensor(self, rows: usize, pixels: Vec<u8>) -> Tensor {
        Tensor::new(&pixels, &[rows as i64, self.width as i64])
    }
}

fn escape(x: f64, y: f64) -> u8 {
    let (mut re, mut im) = (0.0_f64, 0.0_f64);
    for step in (1..=255).rev() {
        (re, im) = (re * re - im * im + x, 2.0 * re * im + y);
        if re * re + im * im > 4.0 {
            return step;
        }
    }
    0
}

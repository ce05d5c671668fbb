//! The part of both dialogs that shows a crop at two settings, side by side.

mod next;
mod order;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use partdiff_host::Sample;

use self::next::{Next, Screen, Work};
use self::order::{Opened, Order};
use crate::engine::Engine;
use crate::host::{Handle, Host, Pointer, Rectangle, c};
use crate::pixels::{Pixels, extent};
use crate::settings::{PRESETS, Settings};
use crate::text::ctr;
use crate::toolkit::Gtk;

/// Longest side of the small image in which the crop is chosen.
const THUMBNAIL: i32 = 180;
/// Side of both views.
const VIEW: i32 = 220;
/// Side of the crop in the image's pixels.
const CROP: i32 = 55;
/// Pixels around the crop that the model sees as well, so that the view is what the whole image will be.
const MARGIN: i32 = 24;
/// Beyond this factor a view would show less than a pixel per pixel.
const MAX_FACTOR: f64 = 8.0;

/// The preview. Lives as long as the process, since GTK holds pointers to it, and is only ever shared: a handler may run
/// while another call of its is at work.
pub struct Preview<H: Handle> {
    widgets: Widgets<H>,
    next: Next,
}

/// The preview's widgets and what they stand for.
struct Widgets<H: Handle> {
    host: &'static Host<H>,
    gtk: Gtk,
    layer: H,
    canvas: (u32, u32),
    layer_size: (i32, i32),
    /// The settings that the dialog shows.
    current: Box<dyn Fn() -> Settings>,
    engine: Arc<Mutex<Option<Opened>>>,
    cancelled: Arc<AtomicBool>,
    /// Middle of the crop in the layer.
    middle: Cell<(i32, i32)>,
    thumbnail: Pointer,
    views: [Pointer; 2],
    other: Pointer,
    status: Pointer,
}

impl<H: Handle> Preview<H> {
    /// Adds the preview of `layer` in `image` to `parent`, a box.
    ///
    /// # Errors
    /// Where GTK lacks a function.
    pub fn add(
        host: &'static Host<H>,
        (image, layer): (H, H),
        parent: Pointer,
        current: Box<dyn Fn() -> Settings>,
    ) -> Result<&'static Self, String> {
        let gtk = Gtk::load(&host.library)?;
        let gimp = &host.gimp;
        // SAFETY: GIMP's and GTK's objects, on the main thread; the preview itself is never freed.
        unsafe {
            let canvas = ((gimp.gimp_image_width)(image) as u32, (gimp.gimp_image_height)(image) as u32);
            let layer_size = ((gimp.gimp_drawable_width)(layer), (gimp.gimp_drawable_height)(layer));
            let frame = (gtk.gtk_frame_new)(ctr("Preview: click on the small image").as_ptr());
            let row = (gtk.gtk_hbox_new)(0, 8);
            (gtk.gtk_container_set_border_width)(row, 8);
            (gtk.gtk_container_set_border_width)(frame, 6);
            (gtk.gtk_container_add)(frame, row);
            (gtk.gtk_box_pack_start)(parent, frame, 0, 0, 6);

            let column = (gtk.gtk_vbox_new)(0, 6);
            let place = (gtk.gtk_alignment_new)(0.0, 0.0, 0.0, 0.0);
            let clickable = (gtk.gtk_event_box_new)();
            let thumbnail = (gtk.gtk_image_new)();
            (gtk.gtk_container_add)(clickable, thumbnail);
            (gtk.gtk_container_add)(place, clickable);
            (gtk.gtk_box_pack_start)(column, place, 0, 0, 0);
            let button = (gtk.gtk_button_new_with_mnemonic)(ctr("Updat_e preview").as_ptr());
            (gtk.gtk_box_pack_start)(column, button, 0, 0, 0);
            let status = (gtk.gtk_label_new)(c"".as_ptr());
            (gtk.gtk_label_set_line_wrap)(status, 1);
            (gtk.gtk_widget_set_size_request)(status, THUMBNAIL, -1);
            (gtk.gtk_box_pack_start)(column, status, 0, 0, 0);
            (gtk.gtk_box_pack_start)(row, column, 0, 0, 0);

            let other = (gtk.gtk_combo_box_text_new)();
            (gtk.gtk_combo_box_text_append_text)(other, ctr("Plain enlargement").as_ptr());
            for (_, label) in &PRESETS[1..] {
                (gtk.gtk_combo_box_text_append_text)(other, ctr(label).as_ptr());
            }
            (gtk.gtk_combo_box_set_active)(other, 0);
            let label = (gtk.gtk_label_new)(ctr("With the settings above").as_ptr());
            let views = [label, other].map(|heading| {
                let column = (gtk.gtk_vbox_new)(0, 6);
                let view = (gtk.gtk_image_new)();
                // As high as a combo box of GTK 3, so that the views lie side by side.
                (gtk.gtk_widget_set_size_request)(heading, -1, 34);
                (gtk.gtk_widget_set_size_request)(view, VIEW, VIEW);
                (gtk.gtk_box_pack_start)(column, heading, 0, 0, 0);
                (gtk.gtk_box_pack_start)(column, view, 0, 0, 0);
                (gtk.gtk_box_pack_start)(row, column, 0, 0, 0);
                view
            });
            let widgets = Widgets {
                host,
                gtk,
                layer,
                canvas,
                layer_size,
                current,
                engine: Arc::default(),
                cancelled: Arc::default(),
                middle: Cell::new((layer_size.0 / 2, layer_size.1 / 2)),
                thumbnail,
                views,
                other,
                status,
            };
            let preview: &'static Self = Box::leak(Box::new(Self { widgets, next: Next::default() }));
            let data: Pointer = ptr::from_ref(preview).cast_mut().cast();
            let connect = |object: Pointer, signal: &std::ffi::CStr, handler: Pointer| {
                (host.glib.g_signal_connect_data)(object, signal.as_ptr(), handler, data, None, 0);
            };
            connect(clickable, c"button-press-event", clicked::<H> as *mut c_void);
            connect(button, c"clicked", update::<H> as *mut c_void);
            connect(other, c"changed", update::<H> as *mut c_void);
            (host.glib.g_timeout_add)(60, tick::<H>, data);
            preview.widgets.draw_thumbnail();
            (gtk.gtk_widget_show_all)(frame);
            preview.next.want(&preview.widgets);
            Ok(preview)
        }
    }

    /// Ends the preview's work and hands over its engine, if that is the one for `settings`.
    pub fn finish(&self, settings: &Settings) -> Option<Engine> {
        self.next.close();
        self.widgets.cancelled.store(true, Ordering::Release);
        self.widgets.engine.lock().ok()?.take()?.engine(settings)
    }
}

impl<H: Handle> Widgets<H> {
    /// The crop in the layer, and the crop with its margin.
    fn areas(&self) -> (Rectangle, Rectangle) {
        let ((width, height), middle) = (self.layer_size, self.middle.get());
        let side = |middle: i32, length: i32| {
            let size = CROP.min(length);
            let start = (middle - size / 2).clamp(0, length - size);
            let first = (start - MARGIN).max(0);
            (start, size, first, (start + size + MARGIN).min(length) - first)
        };
        let (x, w, outer_x, outer_w) = side(middle.0, width);
        let (y, h, outer_y, outer_h) = side(middle.1, height);
        (
            Rectangle { x, y, width: w, height: h },
            Rectangle { x: outer_x, y: outer_y, width: outer_w, height: outer_h },
        )
    }

    /// The layer's `area` at `scale` as 8-bit sRGB with alpha; `area` is in scaled pixels.
    fn read(&self, area: Rectangle, scale: f64) -> Option<Pixels> {
        let gegl = &self.host.gegl;
        let mut pixels = Pixels::new(area.width as usize, area.height as usize, 4, Sample::U8);
        // SAFETY: validity is asked; `pixels` holds the area in the format that is asked for.
        unsafe {
            if (self.host.gimp.gimp_item_is_valid)(self.layer) == 0 {
                return None;
            }
            let buffer = (self.host.gimp.gimp_drawable_get_buffer)(self.layer);
            extent(gegl, buffer).ok()?;
            let format = (gegl.babl_format)(c"R'G'B'A u8".as_ptr());
            (gegl.gegl_buffer_get)(buffer, &area, scale, format, pixels.data.as_mut_ptr().cast(), 0, 0);
            (self.host.glib.g_object_unref)(buffer);
        }
        Some(pixels)
    }

    fn thumbnail_scale(&self) -> f64 {
        (f64::from(THUMBNAIL) / f64::from(self.layer_size.0.max(self.layer_size.1))).min(1.0)
    }

    /// The small image with the crop's frame.
    fn draw_thumbnail(&self) {
        let scale = self.thumbnail_scale();
        let scaled = |length: i32| ((f64::from(length) * scale) as i32).max(1);
        let (width, height) = (scaled(self.layer_size.0), scaled(self.layer_size.1));
        let Some(mut pixels) = self.read(Rectangle { x: 0, y: 0, width, height }, scale) else { return };
        let (crop, _) = self.areas();
        let (left, top) = ((f64::from(crop.x) * scale) as i32, (f64::from(crop.y) * scale) as i32);
        let (right, bottom) =
            ((left + scaled(crop.width)).min(width) - 1, (top + scaled(crop.height)).min(height) - 1);
        for y in top..=bottom {
            for x in left..=right {
                let edge = y == top || y == bottom || x == left || x == right;
                if edge {
                    let at = (y * width + x) as usize * 4;
                    pixels.data[at..at + 4].copy_from_slice(&[255, 220, 0, 255]);
                }
            }
        }
        self.draw(self.thumbnail, &pixels, Rectangle { x: 0, y: 0, width, height }, (width, height));
    }

    /// Shows `part` of 8-bit pixels with alpha in an image widget, at `size`.
    fn draw(&self, widget: Pointer, pixels: &Pixels, part: Rectangle, size: (i32, i32)) {
        /// `GDK_INTERP_BILINEAR`.
        const BILINEAR: c_int = 2;
        let gtk = &self.gtk;
        // SAFETY: the pixbuf has as many rows as `pixels`, each at least as long; objects are released.
        unsafe {
            let whole = (gtk.gdk_pixbuf_new)(0, 1, 8, pixels.width as c_int, pixels.height as c_int);
            if whole.is_null() {
                return;
            }
            let stride = (gtk.gdk_pixbuf_get_rowstride)(whole) as usize;
            let first = (gtk.gdk_pixbuf_get_pixels)(whole).cast::<u8>();
            for (y, row) in pixels.data.chunks_exact(pixels.stride()).enumerate() {
                slice::from_raw_parts_mut(first.add(y * stride), row.len()).copy_from_slice(row);
            }
            let cut = (gtk.gdk_pixbuf_new_subpixbuf)(whole, part.x, part.y, part.width, part.height);
            let shown = (gtk.gdk_pixbuf_scale_simple)(cut, size.0, size.1, BILINEAR);
            (gtk.gtk_image_set_from_pixbuf)(widget, shown);
            for object in [whole, cut, shown] {
                (self.host.glib.g_object_unref)(object);
            }
        }
    }
}

impl<H: Handle> Screen for Widgets<H> {
    fn work(&self) -> Option<Work> {
        let settings = (self.current)();
        let target =
            settings.target(self.canvas.0, self.canvas.1).map_err(|message| self.say(&message)).ok()?;
        // SAFETY: a combo box.
        let chosen = unsafe { (self.gtk.gtk_combo_box_get_active)(self.other) };
        let preset = PRESETS.get(chosen.max(0) as usize).filter(|_| chosen > 0);
        let other = preset.map(|preset| settings.clone().with("preset", preset.0).with("steps", "0"));
        let (_, area) = self.areas();
        let side = |length: i32, to: u32, from: u32| {
            let factor = (f64::from(to) / f64::from(from)).min(MAX_FACTOR);
            ((f64::from(length) * factor).round() as u32).max(1)
        };
        let order = Order {
            crop: self.read(area, 1.0)?,
            settings: [Some(settings), other],
            size: (side(area.width, target.0, self.canvas.0), side(area.height, target.1, self.canvas.1)),
            engine: self.engine.clone(),
            cancelled: self.cancelled.clone(),
        };
        Some(Box::new(move || order.fulfil()))
    }

    fn show(&self, images: &[Pixels; 2]) {
        let (crop, area) = self.areas();
        for (view, image) in self.views.iter().zip(images) {
            let across = image.width as f64 / f64::from(area.width);
            let down = image.height as f64 / f64::from(area.height);
            let part = Rectangle {
                x: (f64::from(crop.x - area.x) * across) as i32,
                y: (f64::from(crop.y - area.y) * down) as i32,
                width: ((f64::from(crop.width) * across) as i32).max(1),
                height: ((f64::from(crop.height) * down) as i32).max(1),
            };
            self.draw(*view, image, part, view_size(crop));
        }
    }

    fn say(&self, text: &str) {
        // SAFETY: a label; GTK copies the text.
        unsafe { (self.gtk.gtk_label_set_text)(self.status, c(text).as_ptr()) };
    }
}

/// Size of a view of `crop`, which may be narrow.
fn view_size(crop: Rectangle) -> (i32, i32) {
    let longest = crop.width.max(crop.height);
    (VIEW * crop.width / longest, VIEW * crop.height / longest)
}

/// # Safety
/// `data` is a preview.
unsafe fn preview<H: Handle>(data: Pointer) -> &'static Preview<H> {
    // SAFETY: previews live for good, nobody borrows one mutably, and GTK calls on the main thread only.
    unsafe { &*data.cast::<Preview<H>>() }
}

/// # Safety
/// `data` is a preview.
unsafe extern "C" fn update<H: Handle>(_: Pointer, data: Pointer) {
    // SAFETY: as the caller says.
    let preview = unsafe { preview::<H>(data) };
    preview.next.want(&preview.widgets);
}

/// # Safety
/// `event` is a button event and `data` a preview.
unsafe extern "C" fn clicked<H: Handle>(_: Pointer, event: Pointer, data: Pointer) -> c_int {
    let (mut x, mut y) = (0.0, 0.0);
    // SAFETY: as the caller says.
    let Preview { widgets, next } = unsafe { preview::<H>(data) };
    // SAFETY: a button event.
    unsafe { (widgets.gtk.gdk_event_get_coords)(event, &mut x, &mut y) };
    let scale = widgets.thumbnail_scale();
    widgets.middle.set(((x / scale) as i32, (y / scale) as i32));
    widgets.draw_thumbnail();
    next.want(widgets);
    1
}

extern "C" fn tick<H: Handle>(data: Pointer) -> c_int {
    // SAFETY: GLib passes on what it was given with this function, a preview.
    let preview = unsafe { preview::<H>(data) };
    preview.next.advance(&preview.widgets);
    1
}

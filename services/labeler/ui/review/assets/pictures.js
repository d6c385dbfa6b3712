// Pictures are fetched and decoded before their turn, so that the next one is there with the key. They come upright
// from the pages' own server.

const SHOWN = 1280, THUMBNAIL = 144, CLOSE = 1600;  // longest sides, in pixels

export const thumbnail = (id) => `/picture/${id}?w=${THUMBNAIL}`;

export class Pictures {
  constructor(changed) {
    this.changed = changed;
    this.held = new Map();
  }

  // Hold the pictures of these images and no others.
  hold(ids) {
    for (const id of this.held.keys()) if (!ids.includes(id)) this.held.delete(id);
    for (const id of ids) if (!this.held.has(id)) this.load(id);
  }

  load(id) {
    const image = new Image();
    image.alt = "The image to review";
    image.draggable = false;
    const held = { image, state: "loading" };
    this.held.set(id, held);
    image.src = `/picture/${id}?w=${SHOWN}`;
    image.decode().then(() => { held.state = "ready"; }, () => { held.state = "failed"; })
      .then(() => { if (this.held.get(id) === held) this.changed(id); });
  }

  get(id) {
    return this.held.get(id) ?? { image: null, state: "loading" };
  }

  // How many can be shown at once.
  ready() {
    return [...this.held.values()].filter((held) => held.state === "ready").length;
  }

  again(id) {
    this.load(id);
  }
}

// The fixed box that a picture is shown in: it fits, can be enlarged by wheel, keys and fingers, and be moved.
export class Stage {
  constructor(box) {
    this.box = box;
    this.pointers = new Map();
    box.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, event.clientX, event.clientY);
    }, { passive: false });
    box.addEventListener("dblclick", () => this.oneToOne());
    box.addEventListener("pointerdown", (event) => {
      this.pointers.set(event.pointerId, event);
      box.setPointerCapture(event.pointerId);
    });
    box.addEventListener("pointermove", (event) => this.drag(event));
    for (const end of ["pointerup", "pointercancel"]) {
      box.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    }
  }

  show(image, id) {
    if (this.id === id && this.image === image) return;
    this.id = id;
    this.image = image;
    this.x = this.y = 0;
    this.scale = 1;
    this.box.replaceChildren(...(image ? [image] : []));
    this.place();
  }

  // How much the picture is reduced to fit; a small one is enlarged to twice its size at most.
  fit() {
    const { naturalWidth: width, naturalHeight: height } = this.image;
    return Math.min(this.box.clientWidth / (width || 1), this.box.clientHeight / (height || 1), 2);
  }

  // The enlargement at which a pixel of the picture is one of the screen.
  full() {
    return 1 / (this.fit() * (window.devicePixelRatio || 1));
  }

  place() {
    if (!this.image) return;
    const { naturalWidth: width, naturalHeight: height, style } = this.image, factor = this.fit() * this.scale;
    const room = (size, full) => Math.max(0, (size * factor - full) / 2);
    const [across, down] = [room(width, this.box.clientWidth), room(height, this.box.clientHeight)];
    this.x = Math.max(-across, Math.min(across, this.x));
    this.y = Math.max(-down, Math.min(down, this.y));
    style.width = width * factor + "px";
    style.height = height * factor + "px";
    style.transform = `translate(-50%, -50%) translate(${this.x}px, ${this.y}px)`;
    this.box.classList.toggle("close", this.scale > 1.01);
  }

  zoom(by, clientX = null, clientY = null) {
    if (!this.image) return;
    const before = this.scale;
    this.exact = false;
    this.scale = Math.max(1, Math.min(12, this.scale * by));
    if (clientX !== null) {
      const area = this.box.getBoundingClientRect(), grown = this.scale / before;
      const [aside, below] = [clientX - area.left - area.width / 2, clientY - area.top - area.height / 2];
      this.x = aside - (aside - this.x) * grown;
      this.y = below - (below - this.y) * grown;
    }
    this.sharpen();
    this.place();
  }

  // One pixel of the picture on one of the screen; pressed again, the picture fits.
  oneToOne() {
    if (!this.image) return;
    this.exact = this.scale <= 1.01 && this.full() > 1.01;
    this.scale = this.scale > 1.01 ? 1 : this.exact ? this.full() : 2;  // 2: it is shown in full already
    this.x = this.y = 0;
    this.sharpen();
    this.place();
  }

  // Take the largest rendition as soon as the picture is looked at closely.
  sharpen() {
    const image = this.image;
    if (this.scale <= 1.01 || image.dataset.sharp || Math.max(image.naturalWidth, image.naturalHeight) < SHOWN) return;
    image.dataset.sharp = "1";
    const larger = new Image();
    larger.src = image.src.replace(`w=${SHOWN}`, `w=${CLOSE}`);
    larger.decode().then(() => {
      image.src = larger.src;
      return image.decode();
    }).then(() => {
      if (this.image !== image) return;
      if (this.exact) this.scale = Math.max(1, this.full());
      this.place();
    }, () => {});
  }

  drag(event) {
    const last = this.pointers.get(event.pointerId);
    if (!last) return;
    if (this.pointers.size === 2) {
      const [other] = [...this.pointers.values()].filter((one) => one.pointerId !== event.pointerId);
      const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      this.zoom(apart(event) / (apart(last) || 1));
    } else if (this.scale > 1.01) {
      this.x += event.clientX - last.clientX;
      this.y += event.clientY - last.clientY;
      this.place();
    }
    this.pointers.set(event.pointerId, event);
  }
}

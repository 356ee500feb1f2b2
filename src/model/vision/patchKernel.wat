;; Bytes to floats by a table, run by run: patches.ts uses it and lays out the memory.
;; `node scripts/assemblePatchKernel.mjs` writes patchKernelBytes.ts from this.
(module
  (memory (export "memory") 1)
  ;; table   256 floats of red, 256 of green, 256 of blue, at address 0
  ;; starts  of `runs` runs, each of `length` bytes, counted from `pixels`
  (func (export "lookUp") (param $starts i32) (param $runs i32) (param $length i32) (param $pixels i32) (param $to i32)
    (local $from i32)
    (local $end i32)
    (loop $run
      (local.set $from (i32.add (local.get $pixels) (i32.load (local.get $starts))))
      (local.set $end (i32.add (local.get $from) (local.get $length)))
      (loop $pixel
        (f32.store offset=0 (local.get $to)
          (f32.load offset=0 (i32.shl (i32.load8_u offset=0 (local.get $from)) (i32.const 2))))
        (f32.store offset=4 (local.get $to)
          (f32.load offset=1024 (i32.shl (i32.load8_u offset=1 (local.get $from)) (i32.const 2))))
        (f32.store offset=8 (local.get $to)
          (f32.load offset=2048 (i32.shl (i32.load8_u offset=2 (local.get $from)) (i32.const 2))))
        (local.set $to (i32.add (local.get $to) (i32.const 12)))
        (local.set $from (i32.add (local.get $from) (i32.const 3)))
        (br_if $pixel (i32.lt_u (local.get $from) (local.get $end))))
      (local.set $starts (i32.add (local.get $starts) (i32.const 4)))
      (local.set $runs (i32.sub (local.get $runs) (i32.const 1)))
      (br_if $run (local.get $runs)))))

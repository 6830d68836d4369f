#pragma once

#include <cblas.h>

#include <cstddef>

// The routines of LAPACK that are used, by their Fortran names. Every character argument has a hidden length
// at the end.
extern "C" {
void dpotrf_(const char* uplo, const int* n, double* a, const int* lda, int* info, size_t);
void spotrf_(const char* uplo, const int* n, float* a, const int* lda, int* info, size_t);
void dgetrf_(const int* m, const int* n, double* a, const int* lda, int* pivots, int* info);
void sgetrf_(const int* m, const int* n, float* a, const int* lda, int* pivots, int* info);
void dlaswp_(const int* n, double* a, const int* lda, const int* first, const int* last, const int* pivots,
             const int* step);
void dgeqrt3_(const int* m, const int* n, double* a, const int* lda, double* t, const int* ldt, int* info);
void dgeqp3_(const int* m, const int* n, double* a, const int* lda, int* pivots, double* tau, double* work,
             const int* lwork, int* info);
void dlarft_(const char* direct, const char* store, const int* n, const int* k, const double* v,
             const int* ldv, const double* tau, double* t, const int* ldt, size_t, size_t);
void dlarfb_(const char* side, const char* transpose, const char* direct, const char* store, const int* m,
             const int* n, const int* k, const double* v, const int* ldv, const double* t, const int* ldt,
             double* c, const int* ldc, double* work, const int* ldwork, size_t, size_t, size_t, size_t);
void dlarfg_(const int* n, double* alpha, double* x, const int* incx, double* tau);
void dgesdd_(const char* job, const int* m, const int* n, double* a, const int* lda, double* s, double* u,
             const int* ldu, double* vt, const int* ldvt, double* work, const int* lwork, int* iwork,
             int* info, size_t);
void dsyevd_(const char* job, const char* uplo, const int* n, double* a, const int* lda, double* w,
             double* work, const int* lwork, int* iwork, const int* liwork, int* info, size_t, size_t);
void dsterf_(const int* n, double* d, double* e, int* info);
void dsteqr_(const char* vectors, const int* n, double* d, double* e, double* z, const int* ldz, double* work,
             int* info, size_t);
void dlaed1_(const int* n, double* d, double* q, const int* ldq, int* order, double* rho, const int* cut,
             double* work, int* iwork, int* info);
void dbdsdc_(const char* uplo, const char* vectors, const int* n, double* d, double* e, double* u,
             const int* ldu, double* vt, const int* ldvt, double* q, int* iq, double* work, int* iwork,
             int* info, size_t, size_t);
}
